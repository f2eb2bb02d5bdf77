import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { compileFormula, type Expansion } from './formula.js';
import { FormulaBook } from './formula-book.js';

interface FormulaContext {
  /** Whose own metrics may be named beside those of the system; null: the system's alone. */
  clinicId: string | null;
  /** Names that stand for themselves, e.g. `last_value`. They pass over metrics of the same name. */
  extraNames?: readonly string[];
  /** The field that holds the formula, for the refusal. */
  path?: string;
}

interface StoredFormula {
  code: string;
  calculationFormula: string | null;
}

/** Formulas over the metrics that a clinic knows, for whoever keeps formulas of their own. */
@Injectable()
export class Formulas {
  constructor(private readonly database: Database) {}

  /**
   * The formula in postfix order over base codes and extra names, for `app.evaluate_postfix`.
   *
   * @throws InvalidFormula naming the column
   */
  async compile(formula: string, { clinicId, extraNames = [], path }: FormulaContext): Promise<string[]> {
    const rows = await this.database.query<StoredFormula>(listFormulas, [clinicId]);
    const book = new FormulaBook(new Map(rows.map(({ code, calculationFormula }) => [code, calculationFormula])));
    const expand = (name: string): Expansion => (extraNames.includes(name) ? [name] : book.expand(name));
    return compileFormula(formula, expand, path);
  }
}

const listFormulas = `
  SELECT code, calculation_formula FROM public.metric_definitions WHERE clinic_id IS NULL OR clinic_id = $1`;
