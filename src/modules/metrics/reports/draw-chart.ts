import type { EChartsCoreOption } from 'echarts/core';
import { init } from 'echarts/dist/echarts.esm.min.mjs';
import { chartColours, colours } from './colours.js';
import type { Chart } from './reports.schemas.js';
import type { Wording } from './wording.js';

/** The first is what the PDF embeds; a browser takes the first that it has. */
const fontFamily = 'Roboto, Helvetica, Arial, sans-serif';

/** Draws a chart as SVG without script, style sheet or style attribute: it may stand in a page with a strict policy. */
export function drawChart(chart: Chart, size: { width: number; height: number }, wording: Wording): string {
  const canvas = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    canvas.setOption(optionsFor(chart, wording));
    return plain(canvas.renderToSVGString());
  } finally {
    canvas.dispose();
  }
}

function optionsFor(chart: Chart, wording: Wording): EChartsCoreOption {
  const text = { color: colours.soft, fontSize: 11, fontFamily };
  return {
    animation: false,
    textStyle: { fontFamily },
    color: chart.series.map(({ metric }) => chartColours[metric] ?? colours.blue),
    grid: { left: 4, right: 8, top: 34, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 8, itemGap: 16, textStyle: text, selectedMode: false },
    xAxis: {
      type: 'category',
      data: chart.labels,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colours.line } },
      axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: {
      type: 'value',
      splitNumber: 4,
      minInterval: chart.dataType === 'integer' ? 1 : 0,
      splitLine: { lineStyle: { color: colours.faint } },
      axisLabel: { ...text, formatter: (value: number) => wording.axis(chart.dataType, value) },
    },
    series: chart.series.map((line) => seriesFor(chart, line)),
  };
}

function seriesFor(chart: Chart, { name, values }: Chart['series'][number]): object {
  const data = values.map((value) => (value === null ? null : Number(value)));
  if (chart.shape === 'lines') {
    const marks = { symbol: 'circle', symbolSize: 6, showAllSymbol: true };
    return { type: 'line', name, data, silent: true, lineStyle: { width: 2.5 }, connectNulls: false, ...marks };
  }
  const stack = chart.shape === 'stack' ? { stack: 'all', barMaxWidth: 30 } : { barMaxWidth: 18, barGap: '12%' };
  const round = chart.shape === 'stack' ? 0 : [2, 2, 0, 0];
  return { type: 'bar', name, data, silent: true, itemStyle: { borderRadius: round }, ...stack };
}

/** What the library adds for its own scripts in a browser, and styles, which the page's policy refuses. */
function plain(svg: string): string {
  return svg
    .replace(/<style\b[\s\S]*?<\/style>/g, '')
    .replace(/ (?:ecmeta_[a-z_]+|class|pointer-events|baseProfile|xmlns:xlink)="[^"]*"/g, '')
    .replace(/ style="([^"]*)"/g, (_, style: string) => asAttributes(style))
    .replace('<svg ', '<svg role="img" ');
}

function asAttributes(style: string): string {
  return style
    .split(';')
    .map((rule) => rule.split(':'))
    .flatMap(([name, value]) => (name && value ? [` ${name.trim()}="${value.trim()}"`] : []))
    .join('');
}
