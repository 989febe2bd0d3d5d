/** Exchanges the code of a sign-in link for a token. The device's secret makes a repeated try give the same token. */
import { api } from "@/shared/api";
import { newId } from "@/shared/format";
import { recall, remember } from "@/shared/storage";

const KEY = "qiangdan.crew.device";

export async function enter(code: string): Promise<string> {
  const device = recall(KEY) ?? newId() + newId();
  remember(KEY, device);
  const { token } = await api(null).post("/sign-in", { body: { code, device } });
  return token;
}
