import { show } from "@/shared/page";

import Start from "./Start.vue";

show(Start);
