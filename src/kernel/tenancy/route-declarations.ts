import { Injectable, type OnModuleInit, RequestMethod } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { OPERATION, type OperationOptions } from '../http/operation.decorator.js';
import { documentedAnswers } from '../http/operation-answers.js';

/**
 * Stops the start when a route does not say who may call it, or when two routes share a name; and documents what those
 * answer that say it.
 */
@Injectable()
export class RouteDeclarations implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  onModuleInit(): void {
    const seen = new Set<string>();
    for (const route of this.routes()) {
      const operation = this.reflector.get<OperationOptions | undefined>(OPERATION, route.handler);
      if (!operation) throw new Error(`The route ${route.name} has no @Operation: say who may call it.`);
      if (seen.has(operation.id)) throw new Error(`The operation '${operation.id}' is declared twice.`);
      seen.add(operation.id);
      for (const document of documentedAnswers(operation, route.method)) {
        document({}, operation.id, { value: route.handler });
      }
    }
  }

  private routes() {
    return this.discovery.getControllers().flatMap(({ instance, name }) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, () => unknown>;
      return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
        const handler = prototype[method];
        if (!handler || Reflect.getMetadata(METHOD_METADATA, handler) === undefined) return [];
        const verb = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number] ?? '';
        return [{ name: `${verb} ${name}.${method}`, method: verb, handler }];
      });
    });
  }
}
