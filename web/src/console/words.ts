/** The dispatcher's words. */
import { dictionary } from "@/shared/language";

export const t = dictionary(
  { title: "调度台", hint: "打开管理员给您的链接，或输入令牌。", openOrders: "未完工单", crews: "维修人员" },
  { title: "Dispatch", hint: "Open the link from your administrator, or give the token.", openOrders: "Open orders", crews: "Crews" },
);
