import { type DynamicModule, Global, Module } from '@nestjs/common';
import { CONFIG, type Config } from './config.js';

/** Makes the one checked configuration injectable everywhere. */
@Global()
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest's way to configure a module
export class ConfigModule {
  static with(config: Config): DynamicModule {
    return { module: ConfigModule, providers: [{ provide: CONFIG, useValue: config }], exports: [CONFIG] };
  }
}
