/** The login of the API would not be held by row-level security. */
export class UnsafeLogin extends Error {
  constructor(login: string) {
    super(
      `The database login '${login}' is a superuser, has BYPASSRLS or belongs to polyclinic_owner: row-level security would not hold it. ` +
        "Let DATABASE_URL log in as polyclinic_api, and give the owner's login as MIGRATION_DATABASE_URL.",
    );
  }
}
