import { show } from "@/shared/page";

import App from "./App.vue";

show(App);
