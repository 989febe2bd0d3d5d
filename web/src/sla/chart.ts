/** ECharts, as little of it as the two charts need, and a chart that follows its data, its size and the light. */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent } from "echarts/components";
import { type ECharts, type EChartsCoreOption, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { onBeforeUnmount, onMounted, type Ref, watch } from "vue";

import { light } from "./light";

use([BarChart, LineChart, GridComponent, MarkLineComponent, CanvasRenderer]);

export interface Paint {
  readonly text: string;
  readonly soft: string;
  readonly line: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
  readonly sunken: string;
  /** Pixels of one rem: the page's letters grow with the wall. */
  readonly rem: number;
}

function paint(): Paint {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    text: of("text"),
    soft: of("soft"),
    line: of("line"),
    accent: of("accent"),
    good: of("good"),
    bad: of("bad"),
    sunken: of("sunken"),
    rem: parseFloat(style.fontSize),
  };
}

/** The axes of both charts: categories from left to right, whole numbers upwards; `interval` says which are named. */
export function axes({ soft, line, rem }: Paint, names: readonly string[], interval: "auto" | ((n: number) => boolean)) {
  const axisLabel = { color: soft, fontSize: rem * 0.8 };
  return {
    xAxis: {
      type: "category",
      data: names,
      axisLabel: { ...axisLabel, interval },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: line } },
    },
    yAxis: { type: "value", minInterval: 1, splitNumber: 2, axisLabel, splitLine: { lineStyle: { color: line } } },
  };
}

/** Keep a chart in a place of the page. `option` is asked anew when what it reads changes. */
export function keepChart(place: Ref<HTMLElement | null>, option: (paint: Paint) => EChartsCoreOption): void {
  let chart: ECharts | null = null;
  const show = () => chart?.setOption({ animation: false, ...option(paint()) }, { notMerge: true });
  const size = new ResizeObserver(() => {
    chart?.resize();
    show();
  });
  onMounted(() => {
    if (place.value === null) return;
    chart = init(place.value);
    size.observe(place.value);
    show();
  });
  watch([() => option(paint()), light], show, { flush: "post" });
  onBeforeUnmount(() => {
    size.disconnect();
    chart?.dispose();
  });
}
