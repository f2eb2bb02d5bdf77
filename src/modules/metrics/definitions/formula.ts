import { type Expression, type PrivateIdentifier, parseExpressionAt } from 'acorn';
import { formulaRefusal } from './definitions.errors.js';

/** A part of a formula in postfix order. `offset` is where it stands in the text, counted from 0. */
export interface FormulaToken {
  kind: 'name' | 'number' | 'operator';
  text: string;
  offset: number;
}

/** What a name stands for: its tokens in postfix order, or why it stands for nothing. */
export type Expansion = readonly string[] | { refused: string };

/** Room for what people write; with what their parts are made of, evaluation stays within microseconds. */
export const formulaLimits = { characters: 500, tokens: 500 } as const;

/**
 * Compiles a formula for `app.evaluate_postfix`: every name is replaced by what it stands for.
 *
 * @param path the field that holds the formula, for the refusal
 * @throws InvalidFormula naming the column: of what cannot be read, of an unknown name, or of one that leads to a cycle
 */
export function compileFormula(
  formula: string,
  expand: (name: string) => Expansion,
  path = 'calculationFormula',
): string[] {
  const postfix: string[] = [];
  for (const token of parseFormula(formula, path)) {
    const expansion = token.kind === 'name' ? expand(token.text) : [token.text];
    if ('refused' in expansion) throw formulaRefusal(path, token.offset, expansion.refused);
    postfix.push(...expansion);
    if (postfix.length > formulaLimits.tokens)
      throw formulaRefusal(path, token.offset, 'The formula is too long once the metrics in it are written out.');
  }
  return postfix;
}

/**
 * Reads names, numbers, `+ - * /`, negation and parentheses; the rest of what the parser knows is refused.
 *
 * @throws InvalidFormula
 */
export function parseFormula(formula: string, path = 'calculationFormula'): FormulaToken[] {
  const refuse = (offset: number, why: string) => formulaRefusal(path, offset, why);
  if (formula.length > formulaLimits.characters)
    throw refuse(formulaLimits.characters, `A formula has at most ${formulaLimits.characters} characters.`);
  const tree = treeOf(formula, refuse);
  const end = tree.end + (formula.slice(tree.end).match(/^\s*/)?.[0].length ?? 0);
  if (end < formula.length) throw refuse(end, 'The formula should end here.');
  return tokensOf(tree, formula, refuse);
}

/** Whether formulas can name it: not every word of small letters, `new` and `true` mean something else to the parser. */
export function isFormulaName(text: string): boolean {
  try {
    const [token, ...others] = parseFormula(text);
    return token?.kind === 'name' && others.length === 0;
  } catch {
    return false;
  }
}

type Refuse = (offset: number, why: string) => Error;

function treeOf(formula: string, refuse: Refuse): Expression {
  let comment: number | undefined;
  try {
    const tree = parseExpressionAt(formula, 0, {
      ecmaVersion: 2023,
      preserveParens: true,
      onComment: (_isBlock, _text, start) => {
        comment ??= start;
      },
    });
    if (comment !== undefined) throw refuse(comment, 'A formula holds no comments.');
    return tree;
  } catch (error) {
    if (error instanceof SyntaxError && 'pos' in error)
      throw refuse(Number(error.pos), 'This cannot be read as a formula.');
    throw error;
  }
}

/** Children before their parent: the order in which a stack evaluates them. */
function tokensOf(node: Expression | PrivateIdentifier, formula: string, refuse: Refuse): FormulaToken[] {
  const written = formula.slice(node.start, node.end);
  const token = (kind: FormulaToken['kind'], text: string): FormulaToken[] => [{ kind, text, offset: node.start }];
  switch (node.type) {
    case 'ParenthesizedExpression':
      return tokensOf(node.expression, formula, refuse);
    case 'Identifier':
      if (!/^[a-z][a-z0-9_]{0,59}$/.test(written)) throw refuse(node.start, `There is no metric '${written}'.`);
      return token('name', written);
    case 'Literal':
      if (!/^\d{1,15}(\.\d{1,6})?$/.test(written)) throw refuse(node.start, 'Numbers are written as 12 or 12.5.');
      return token('number', written);
    case 'UnaryExpression':
      if (node.operator !== '-') throw refuse(node.start, unknownOperator(node.operator));
      return [...tokensOf(node.argument, formula, refuse), ...token('operator', '~')];
    case 'BinaryExpression':
      if (!/^[-+*/]$/.test(node.operator)) throw refuse(node.left.end, unknownOperator(node.operator));
      return [
        ...tokensOf(node.left, formula, refuse),
        ...tokensOf(node.right, formula, refuse),
        ...token('operator', node.operator),
      ];
    default:
      throw refuse(node.start, 'A formula is made of metrics, numbers, + - * / and parentheses.');
  }
}

const unknownOperator = (operator: string): string => `A formula knows + - * / and no '${operator}'.`;
