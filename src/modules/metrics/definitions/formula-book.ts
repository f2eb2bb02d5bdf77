import { compileFormula, type Expansion, formulaLimits, parseFormula } from './formula.js';

/** How deeply formulas may rest on formulas. */
const deepest = 20;

/** Code -> its formula, or null for a base metric, which stands for itself. */
export type FormulaSources = ReadonlyMap<string, string | null>;

/** The metrics that a formula may name, each worked out once. Formulas within formulas are written out. */
export class FormulaBook {
  private readonly known = new Map<string, Expansion>();

  constructor(private readonly sources: FormulaSources) {}

  /** The tokens of a code, or why it has none: unknown, without an end, or too much. */
  readonly expand = (code: string): Expansion => this.expandWithin(code, []);

  /** The formula of a code that is in the book. @throws InvalidFormula */
  compile(code: string, path?: string): string[] {
    return compileFormula(this.sources.get(code) ?? code, (name) => this.expandWithin(name, [code]), path);
  }

  /** The codes whose formulas name this one, directly or through others. */
  dependentsOf(code: string): string[] {
    const found = new Set<string>();
    const follow = (target: string): void => {
      for (const [each, formula] of this.sources) {
        if (formula === null || found.has(each) || !namesIn(formula).has(target)) continue;
        found.add(each);
        follow(each);
      }
    };
    follow(code);
    return [...found];
  }

  private expandWithin(code: string, within: readonly string[]): Expansion {
    if (within.includes(code)) return { refused: `It leads back to itself: ${[...within, code].join(' -> ')}.` };
    const known = this.known.get(code);
    if (known) return known;
    const expansion = this.writtenOut(code, within);
    if (!('refused' in expansion)) this.known.set(code, expansion);
    return expansion;
  }

  private writtenOut(code: string, within: readonly string[]): Expansion {
    const formula = this.sources.get(code);
    if (formula === undefined) return { refused: `There is no metric '${code}'.` };
    if (formula === null) return [code];
    if (within.length >= deepest) return { refused: `Formulas rest on each other at most ${deepest} deep.` };
    const postfix: string[] = [];
    for (const token of parseFormula(formula)) {
      const part = token.kind === 'name' ? this.expandWithin(token.text, [...within, code]) : [token.text];
      if ('refused' in part) return part;
      postfix.push(...part);
      if (postfix.length > formulaLimits.tokens) return { refused: `'${code}' is too long once it is written out.` };
    }
    return postfix;
  }
}

function namesIn(formula: string): Set<string> {
  return new Set(parseFormula(formula).flatMap(({ kind, text }) => (kind === 'name' ? [text] : [])));
}
