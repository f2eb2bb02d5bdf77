/** The pool of the API's login, taken from the TypeORM data source. Only the kernel may inject it. */
export const POOL = Symbol('POOL');
