import type { Chart, Report } from './reports.schemas.js';
import type { Wording } from './wording.js';

export interface DrawnChart {
  chart: Chart;
  svg: string;
  /** Two narrow ones stand side by side. */
  isNarrow: boolean;
  size: { width: number; height: number };
}

const wide = { width: 720, height: 180 };
const narrow = { width: 350, height: 160 };

/** Draws the charts of a report that have anything to show. The library is loaded with the first. */
export async function drawCharts(report: Report, wording: Wording): Promise<DrawnChart[]> {
  const charts = report.charts.filter(hasValues);
  if (charts.length === 0) return [];
  const { drawChart } = await import('./draw-chart.js');
  const stacked = charts.filter(({ shape }) => shape === 'stack');
  return charts.map((chart) => {
    const isNarrow = chart.shape === 'stack' && stacked.length > 1;
    const size = isNarrow ? narrow : wide;
    return { chart, svg: drawChart(chart, size, wording), isNarrow, size };
  });
}

function hasValues({ series }: Chart): boolean {
  return series.some(({ values }) => values.some((value) => value !== null && Number(value) !== 0));
}
