import { colours, verdictColours } from './colours.js';

/** The one style sheet of the page. Its hash stands in the page's policy. */
export const pageStyle = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: ${colours.tint}; color: ${colours.ink};
  font: 14px/1.45 Roboto, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 820px; margin: 24px auto; padding: 40px 48px; background: ${colours.paper};
  border-top: 5px solid ${colours.blue}; box-shadow: 0 1px 4px rgb(20 33 61 / .12); }
header { margin-bottom: 24px; }
.clinic { margin: 0; font-weight: 600; font-size: 15px; }
.clinic span { margin-left: 10px; font-weight: 400; color: ${colours.soft}; }
h1 { margin: 2px 0 0; font-size: 30px; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere; }
.mark { padding: 2px 9px; border-radius: 10px; background: #fdf0d8; color: #8a5a06; font-size: 13px;
  vertical-align: 6px; letter-spacing: 0; }
.span { margin: 4px 0 0; font-size: 16px; color: ${colours.soft}; }
.state { margin: 10px 0 0; color: ${colours.soft}; }
h2 { margin: 32px 0 8px; font-size: 17px; }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 0 0 28px; padding: 0; list-style: none; }
.cards li { display: flex; flex-direction: column; padding: 12px 13px; border: 1px solid ${colours.faint};
  border-radius: 8px; background: ${colours.tint}; break-inside: avoid; }
.name { flex: 1; color: ${colours.soft}; font-size: 12px; }
.value { margin: 2px 0 6px; font-size: 25px; font-weight: 600; letter-spacing: -.01em; }
.than { color: ${colours.soft}; font-size: 12px; }
.charts { display: grid; grid-template-columns: 1fr 1fr; gap: 22px 24px; margin-top: 28px; }
figure { grid-column: span 2; margin: 0; break-inside: avoid; }
figure.narrow { grid-column: span 1; }
figcaption { margin-bottom: 6px; font-weight: 600; }
figure svg { display: block; width: 100%; height: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 6px 8px; border-bottom: 1px solid ${colours.faint}; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
tbody th { font-weight: 400; }
thead th { color: ${colours.soft}; font-size: 12px; font-weight: 600; border-bottom: 1px solid ${colours.line}; }
tr { break-inside: avoid; }
.group th { padding-top: 14px; color: ${colours.soft}; font-size: 12px; font-weight: 600; }
.now { font-weight: 600; }
.better { color: ${verdictColours.better}; }
.worse { color: ${verdictColours.worse}; }
.same, .none { color: ${verdictColours.same}; }
td svg { vertical-align: 0; margin-right: 4px; }
footer { margin-top: 32px; padding-top: 12px; border-top: 1px solid ${colours.faint}; color: ${colours.soft}; font-size: 12px; }
@media (max-width: 700px) {
  main { margin: 0; padding: 24px 16px; }
  .cards { grid-template-columns: 1fr 1fr; }
  figure.narrow { grid-column: span 2; }
  section { overflow-x: auto; }
}
@page { size: A4; margin: 14mm; }
@media print {
  body { background: none; font-size: 11px; }
  main { max-width: none; margin: 0; padding: 0; border: 0; box-shadow: none; }
  thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
