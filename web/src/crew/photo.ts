/** A photo as it is sent: at most 1600 pixels wide or high and well under the server's 1 MiB, without place or camera data. */

const MOST_PIXELS = 1600;
const MOST_BYTES = 900 * 1024;

/** Scale a photo down to a JPEG; throws where the file is no picture. */
export async function scaledPhoto(file: Blob): Promise<Blob> {
  const picture = await createImageBitmap(file);
  for (const [pixels, quality] of [[MOST_PIXELS, 0.75], [1200, 0.6], [800, 0.5]] as const) {
    const scale = Math.min(1, pixels / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d")!.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob && blob.size <= MOST_BYTES) return blob;
  }
  throw new Error("the photo stays too large");
}
