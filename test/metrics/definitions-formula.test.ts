import fc from 'fast-check';
import { DomainError } from '../../src/kernel/errors/domain-error.js';
import { compileFormula, isFormulaName } from '../../src/modules/metrics/definitions/formula.js';
import { FormulaBook } from '../../src/modules/metrics/definitions/formula-book.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const anyName = (name: string) => [name];
const compiled = (formula: string): string => compileFormula(formula, anyName).join(' ');

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError && error.errors?.[0]?.path === 'calculationFormula')
      return error.errors[0].message;
    throw error;
  }
  throw new Error('It was not refused.');
}

describe('A formula', () => {
  it.each([
    ['production - adjustments - write_offs', 'production adjustments - write_offs -'],
    ['a + b * c', 'a b c * +'],
    ['(a + b) * c', 'a b + c *'],
    ['a - (b - c)', 'a b c - -'],
    ['-a * -(b + 2.5)', 'a ~ b 2.5 + ~ *'],
    [' a\n/ 100 ', 'a 100 /'],
  ])('%j is %j in postfix order', (formula, postfix) => {
    expect(compiled(formula)).toBe(postfix);
  });

  it.each([
    ['', 1],
    ['a +', 4],
    ['a b', 3],
    ['a + (b', 7],
    ['a ** b', 2],
    ['a % b', 2],
    ['+a', 1],
    ['!a', 1],
    ['a ? b : c', 1],
    ['a, b', 1],
    ['a = 1', 1],
    ['a.b + 1', 1],
    ['1 + f(a)', 5],
    ['a + new', 8],
    ["a + 'b'", 5],
    ['a + true', 5],
    ['a + 0x10', 5],
    ['a + 1e5', 5],
    ['a + .5', 5],
    ['a + 1_000', 5],
    ['a + 10n', 5],
    ['a /* b */', 3],
    ['/* b */ a', 1],
    ['a // b', 3],
    ['a + Production', 5],
    ['a + \\u0062', 5],
    ['`a`', 1],
    ['a; b', 2],
    ['a + 1234567890123456', 5],
    ['('.repeat(251) + 'a'.repeat(1) + ')'.repeat(251), 501],
  ])('%j is refused at column %i', (formula, column) => {
    expect(refusal(() => compiled(formula))).toMatch(new RegExp(`^Column ${column}: .`));
  });

  it('may be nested as deeply as its length allows', () => {
    expect(compiled(`${'('.repeat(249)}a${')'.repeat(249)}`)).toBe('a');
    expect(compiled(`${'-'.repeat(1)}${'(-'.repeat(160)}a${')'.repeat(160)}`)).toBe(`a${' ~'.repeat(161)}`);
  });

  it('can name what is no word of the parser', () => {
    expect(['production', 'of', 'new', 'true', 'class', 'a b', '1', 'A'].map(isFormulaName)).toEqual([
      true,
      true,
      ...Array(6).fill(false),
    ]);
  });

  it('of the system is stored as it is compiled', async () => {
    const rows = await database.sql<{ code: string; formula: string | null; postfix: string[] | null }>(
      'SELECT code, calculation_formula AS formula, postfix FROM metric_definitions WHERE is_system',
    );
    const book = new FormulaBook(new Map(rows.map(({ code, formula }) => [code, formula])));
    const composites = rows.filter(({ formula }) => formula !== null);
    expect(composites.length).toBeGreaterThan(5);
    for (const { code, postfix } of composites) expect([code, book.compile(code)]).toEqual([code, postfix]);
  });
});

describe('A formula over formulas', () => {
  const book = (sources: Record<string, string | null>) => new FormulaBook(new Map(Object.entries(sources)));

  it('is written out', () => {
    const own = book({ a: null, b: null, rate: 'a / b', percent: 'rate * 100', twice: 'percent + percent' });
    expect(own.compile('twice').join(' ')).toBe('a b / 100 * a b / 100 * +');
    expect(own.dependentsOf('rate').sort()).toEqual(['percent', 'twice']);
    expect(own.dependentsOf('a').sort()).toEqual(['percent', 'rate', 'twice']);
    expect(own.dependentsOf('twice')).toEqual([]);
  });

  it('never ends when it leads back to itself, and is refused at the name that does', () => {
    const own = book({ base: null, a: 'base + b', b: '2 * c', c: '1 / a', self: '1 + self' });
    expect(refusal(() => own.compile('a'))).toBe('Column 8: It leads back to itself: a -> b -> c -> a.');
    expect(refusal(() => own.compile('self'))).toBe('Column 5: It leads back to itself: self -> self.');
    expect(own.dependentsOf('a').sort()).toEqual(['a', 'b', 'c']);
  });

  it('is refused when a name leads nowhere', () => {
    expect(refusal(() => book({ a: null, b: 'a + nothing' }).compile('b'))).toBe(
      "Column 5: There is no metric 'nothing'.",
    );
  });

  it('is refused when it grows beyond what can be evaluated, at once', () => {
    const doubling = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`f${n + 1}`, `f${n} + f${n}`]));
    expect(refusal(() => book({ f0: null, ...doubling }).compile('f15'))).toMatch(/^Column 1: .*too long/);
    const chain = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${n + 1}`, `f${n}`]));
    expect(refusal(() => book({ f0: null, ...chain }).compile('f40'))).toMatch(/20 deep/);
  });
});

type Tree = number | string | { operator: string; left: Tree; right: Tree } | { negated: Tree };

const names = ['alpha', 'beta', 'gamma'] as const;
const leaf = fc.oneof(fc.constantFrom<Tree>(...names), fc.integer({ min: 0, max: 20 }));
/** What divides is made without division: then the database, which rounds quotients, agrees on when it is zero. */
const { tree: trees } = fc.letrec<{ exact: Tree; tree: Tree }>((tie) => ({
  exact: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.record({ operator: fc.constantFrom('+', '-', '*'), left: tie('exact'), right: tie('exact') }),
    fc.record({ negated: tie('exact') }),
  ),
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.record({ operator: fc.constantFrom('+', '-', '*'), left: tie('tree'), right: tie('tree') }),
    fc.record({ operator: fc.constant('/'), left: tie('tree'), right: tie('exact') }),
    fc.record({ negated: tie('tree') }),
  ),
}));

/** With the parentheses that precedence needs, and no others. */
function written(tree: Tree): string {
  if (typeof tree !== 'object') return String(tree);
  if ('negated' in tree)
    return `-${typeof tree.negated === 'object' ? `(${written(tree.negated)})` : written(tree.negated)}`;
  const { operator, left, right } = tree;
  const isProduct = operator === '*' || operator === '/';
  const isSum = (side: Tree) => typeof side === 'object' && 'operator' in side && /[-+]/.test(side.operator);
  const bare = (side: Tree, isBare: boolean) => (isBare ? written(side) : `(${written(side)})`);
  const leftIsBare = !(isProduct && isSum(left));
  const rightIsBare =
    typeof right !== 'object' || ('operator' in right && !isProduct && operator === '+' && !isSum(right));
  return `${bare(left, leftIsBare)} ${operator} ${bare(right, rightIsBare)}`;
}

function evaluated(tree: Tree, values: Record<string, number | null>): number | null {
  if (typeof tree === 'number') return tree;
  if (typeof tree === 'string') return values[tree] ?? 0;
  if ('negated' in tree) {
    const inner = evaluated(tree.negated, values);
    return inner === null ? null : -inner;
  }
  const [left, right] = [evaluated(tree.left, values), evaluated(tree.right, values)];
  if (left === null || right === null || (tree.operator === '/' && right === 0)) return null;
  return { '+': left + right, '-': left - right, '*': left * right, '/': left / right }[tree.operator] ?? null;
}

const leaves = (tree: Tree): string[] => {
  if (typeof tree === 'object')
    return 'negated' in tree ? leaves(tree.negated) : [...leaves(tree.left), ...leaves(tree.right)];
  return typeof tree === 'string' ? [tree] : [];
};

it('A formula that is compiled and evaluated by the database comes to what arithmetic says', async () => {
  const value = fc.option(fc.integer({ min: -50, max: 50 }), { nil: null });
  const worlds = fc.record({ alpha: value, beta: value, gamma: value });
  await fc.assert(
    fc.asyncProperty(trees, worlds, async (tree, values) => {
      const formula = written(tree);
      fc.pre(formula.length <= 500);
      const [row] = await database.sql<{ value: string | null }>('SELECT app.evaluate_postfix($1, $2) AS value', [
        compileFormula(formula, anyName),
        JSON.stringify(values),
      ]);
      const named = leaves(tree) as (keyof typeof values)[];
      const isUnknown = named.length > 0 && named.every((name) => values[name] === null);
      const expected = isUnknown ? null : evaluated(tree, values);
      if (expected === null) return expect([formula, row?.value]).toEqual([formula, null]);
      const difference = Math.abs(Number(row?.value) - expected);
      // The database keeps at least 16 digits of a quotient, a product of many loses some.
      expect([formula, difference <= 1e-6 * Math.max(1, Math.abs(expected))]).toEqual([formula, true]);
    }),
    { numRuns: 300 },
  );
});
