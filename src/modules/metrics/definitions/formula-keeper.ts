import { Injectable } from '@nestjs/common';
import type { DomainError } from '../../../kernel/errors/domain-error.js';
import { AlreadyExists, StillReferenced } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { FormulaBook } from './formula-book.js';

interface StoredFormula {
  id: string;
  clinicId: string | null;
  code: string;
  calculationFormula: string | null;
}

/** Keeps what is stored of formulas true: each compiled, none leading back to itself, none resting on what is gone. */
@Injectable()
export class FormulaKeeper {
  constructor(private readonly database: Database) {}

  /**
   * Lets one change of formulas at a time into what a clinic can see, until the transaction ends: of two that each look
   * right alone, `a = b` and `b = a`, the second sees the first. A change of the system's waits for every clinic's.
   */
  async lock(clinicId: string | null): Promise<void> {
    await this.database.query(clinicId === null ? lockSystem : lockClinic, clinicId === null ? [] : [clinicId]);
  }

  /** @throws AlreadyExists, InvalidFormula */
  async compileNew(clinicId: string | null, code: string, formula: string): Promise<string[]> {
    await this.lock(clinicId);
    const [own = []] = await this.stored(clinicId);
    if (own.some((definition) => definition.code === code)) throw taken();
    return bookOf(own, [code, formula]).compile(code);
  }

  /**
   * The new postfix of a definition, once those of all that rest on it are written: in its clinic, or in every clinic
   * for one of the system.
   *
   * @throws InvalidFormula for this formula, or because one that rests on it could not be written out any more
   */
  async recompile(clinicId: string | null, code: string, formula: string): Promise<string[]> {
    const groups = await this.stored(clinicId);
    for (const definitions of groups) await this.recompileDependents(definitions, code, formula);
    return bookOf(groups[0] ?? [], [code, formula]).compile(code);
  }

  /** @throws StillReferenced naming the formulas, as far as the caller's clinic has them */
  async assertUnused(clinicId: string | null, code: string): Promise<void> {
    const groups = await this.stored(clinicId);
    const users = new Set(groups.flatMap((definitions) => bookOf(definitions).dependentsOf(code)));
    if (users.size > 0) throw new StillReferenced(`Formulas rest on it: ${[...users].sort().join(', ')}.`);
  }

  private async recompileDependents(definitions: StoredFormula[], code: string, formula: string): Promise<void> {
    const book = bookOf(definitions, [code, formula]);
    // A cycle shows at the formula that is being changed, so that one first.
    book.compile(code);
    for (const dependent of book.dependentsOf(code)) {
      const definition = definitions.find((each) => each.code === dependent);
      const isOfGroup = definition?.clinicId === clinicOf(definitions);
      if (definition && isOfGroup && dependent !== code)
        await this.database.query(updatePostfix, [definition.id, book.compile(dependent)]);
    }
  }

  /**
   * What one formula can name, by group: a clinic's own beside the system's; for the system, its own first, then those of
   * every clinic that could rest on them.
   */
  private async stored(clinicId: string | null): Promise<StoredFormula[][]> {
    const rows = await this.database.query<StoredFormula>(listFormulas, [clinicId]);
    if (clinicId !== null) return [rows];
    const system = rows.filter((row) => row.clinicId === null);
    const clinics = new Set(rows.flatMap((row) => row.clinicId ?? []));
    return [system, ...[...clinics].map((id) => [...system, ...rows.filter((row) => row.clinicId === id)])];
  }
}

/** Whose group it is: null for the system's. */
function clinicOf(definitions: readonly StoredFormula[]): string | null {
  return definitions.find(({ clinicId }) => clinicId !== null)?.clinicId ?? null;
}

function taken(): DomainError {
  const { code } = AlreadyExists.definition;
  return new AlreadyExists(undefined, { errors: [{ path: 'code', code, message: 'This value is taken.' }] });
}

function bookOf(definitions: readonly StoredFormula[], ...changed: [string, string][]): FormulaBook {
  const stored = definitions.map(({ code, calculationFormula }) => [code, calculationFormula] as const);
  return new FormulaBook(new Map([...stored, ...changed]));
}

const lockSystem = `SELECT pg_advisory_xact_lock(hashtextextended('metric_definitions', 0))`;

const lockClinic = `
  SELECT pg_advisory_xact_lock_shared(hashtextextended('metric_definitions', 0)),
         pg_advisory_xact_lock(hashtextextended('metric_definitions ' || $1::text, 0))`;

/** For the system, those of all clinics: whoever changes the system's is an admin, and sees them. */
const listFormulas = `
  SELECT id, clinic_id, code, calculation_formula FROM public.metric_definitions
   WHERE clinic_id IS NULL OR $1::uuid IS NULL OR clinic_id = $1`;

const updatePostfix = 'UPDATE public.metric_definitions SET postfix = $2 WHERE id = $1';
