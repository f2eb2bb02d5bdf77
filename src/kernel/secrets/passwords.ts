import { Inject, Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { dictionary } from '@zxcvbn-ts/language-common';
import { CONFIG, type Config } from '../config/config.js';
import { defineProblem } from '../errors/domain-error.js';

export const PasswordTooCommon = defineProblem({
  code: 'password-too-common',
  status: 422,
  title: 'The password is too common',
  meaning: 'It is on a list of passwords that are tried first, or is the e-mail address. Choose another.',
});

const common: ReadonlySet<string> = new Set(dictionary['passwords-common'].map(String));

/** Hashes passwords with argon2id (RFC 9106) and refuses those that everybody tries first. */
@Injectable()
export class Passwords {
  private dummy: Promise<string> | undefined;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  hash(plain: string): Promise<string> {
    return hash(normalised(plain), this.options());
  }

  verify(hashed: string, plain: string): Promise<boolean> {
    return verify(hashed, normalised(plain));
  }

  /** The work of a verification for an account that does not exist, so that the time does not tell. Always false. */
  async verifyNothing(plain: string): Promise<false> {
    this.dummy ??= this.hash('no account has this password');
    await this.verify(await this.dummy, plain);
    return false;
  }

  /** Whether a hash was made with other settings than those of today, and should be made anew at the next log-in. */
  isOutdated(hashed: string): boolean {
    const { memoryKib, passes, lanes } = this.config.passwords;
    return !hashed.startsWith(`$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`);
  }

  /** @param path the field that holds it @throws PasswordTooCommon */
  assertAcceptable(plain: string, email: string, path = 'password'): void {
    const lower = normalised(plain).toLowerCase();
    if (common.has(lower) || lower === email.toLowerCase()) {
      const error = { path, code: 'password-too-common', message: 'Choose one that others do not use.' };
      throw new PasswordTooCommon(undefined, { errors: [error] });
    }
  }

  /** The library's default algorithm is argon2id. */
  private options() {
    const { memoryKib, passes, lanes } = this.config.passwords;
    return { memoryCost: memoryKib, timeCost: passes, parallelism: lanes };
  }
}

/** NFKC (NIST SP 800-63B section 5.1.1.2): the same password typed on another keyboard is the same. */
function normalised(plain: string): string {
  return plain.normalize('NFKC');
}
