/** One field that made a request refused: `path` in dotted form (`members.0.email`), `code` stable and kebab-case. */
export interface FieldError {
  path: string;
  code: string;
  message: string;
}

/** What a kind of refusal is, once for every time it is thrown; docs/errors.md is written from these. */
export interface ProblemDefinition {
  /** Stable and kebab-case: clients branch on it. */
  code: string;
  status: number;
  title: string;
  /** When it happens and what the caller can do, for the page of errors. */
  meaning: string;
}

interface ProblemOptions {
  errors?: FieldError[];
  /** Seconds for `Retry-After`. */
  retryAfter?: number;
  /** Commit what the request wrote although it is refused, e.g. the revocation of a stolen refresh token. */
  keepsWrites?: boolean;
  cause?: unknown;
}

/** A refusal in the words of the domain. Services throw it; only the problem filter knows that HTTP exists. */
export abstract class DomainError extends Error {
  abstract readonly definition: ProblemDefinition;
  readonly errors: FieldError[] | undefined;
  readonly retryAfter: number | undefined;
  readonly keepsWrites: boolean;

  constructor(detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.errors = options.errors;
    this.retryAfter = options.retryAfter;
    this.keepsWrites = options.keepsWrites ?? false;
  }
}

export interface ProblemClass {
  new (detail?: string, options?: ProblemOptions): DomainError;
  readonly definition: ProblemDefinition;
}

const registry = new Map<string, ProblemClass>();

/** Every kind of problem that the service can answer with, by its code. */
export const problems: ReadonlyMap<string, ProblemClass> = registry;

/** Declares a kind of problem. Two of one code stop the start: clients could not tell them apart. */
export function defineProblem(definition: ProblemDefinition): ProblemClass {
  if (registry.has(definition.code)) throw new Error(`The problem code '${definition.code}' is declared twice.`);
  class Problem extends DomainError {
    static readonly definition = definition;
    readonly definition = definition;

    constructor(detail: string = definition.title, options?: ProblemOptions) {
      super(detail, options);
      this.name = definition.code;
    }
  }
  registry.set(definition.code, Problem);
  return Problem;
}
