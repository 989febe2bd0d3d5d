/** A file of the server, asked for with the token and handed to the browser's downloads. */
import { addressOf, Problem, problemOf } from "@/shared/api";

export async function download(token: string, query: { from: string; to: string; format: "csv" | "xlsx" }): Promise<void> {
  let answer: Response;
  let body: Blob;
  try {
    answer = await fetch(addressOf("/sla/report", { query }), { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) throw problemOf(answer.status, await answer.json().catch(() => null));
    body = await answer.blob();
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(0, "unreachable", "The server cannot be reached");
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(body);
  link.download = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? `report.${query.format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
