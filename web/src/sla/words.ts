/** The wallboard's words. */
import { dictionary } from "@/shared/language";

export const t = dictionary(
  { title: "时限看板", hint: "打开管理员给您的链接，或输入令牌。", running: "在计时的工单" },
  { title: "Service clocks", hint: "Open the link from your administrator, or give the token.", running: "Orders under way" },
);
