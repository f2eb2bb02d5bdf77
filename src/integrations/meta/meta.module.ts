import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { LOGGER } from '../../kernel/observability/logger.js';
import { GraphClient } from './graph-client.js';
import { GraphTransport } from './graph-transport.js';
import { MetaComments } from './meta-comments.js';
import { MetaConsents } from './meta-consents.js';
import { MetaDataHolders } from './meta-data-holders.js';
import { MetaInsights } from './meta-insights.js';
import { MetaInstagram } from './meta-instagram.js';
import { MetaLogin } from './meta-login.js';
import { MetaMessaging } from './meta-messaging.js';
import { MetaPages } from './meta-pages.js';
import { SignedRequests } from './signed-requests.js';
import { UsageLimits } from './usage-limits.js';
import { WebhookSignatures } from './webhook-signatures.js';

const usesGraph = <Made>(make: new (graph: GraphClient) => Made) => ({
  provide: make,
  inject: [GraphClient],
  useFactory: (graph: GraphClient) => new make(graph),
});

@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: GraphTransport,
      inject: [CONFIG, LOGGER],
      useFactory: ({ meta }: Config, logger: Logger) =>
        new GraphTransport({
          timeoutMs: meta.timeoutMs,
          onChange: (host, state) => logger.warn({ host, state }, 'Meta: the breaker of a host'),
        }),
    },
    {
      provide: GraphClient,
      inject: [CONFIG, GraphTransport],
      useFactory: ({ meta }: Config, transport: GraphTransport) => new GraphClient(meta, transport, new UsageLimits()),
    },
    {
      provide: SignedRequests,
      inject: [CONFIG],
      useFactory: ({ meta }: Config) => new SignedRequests(meta.appSecrets),
    },
    {
      provide: WebhookSignatures,
      inject: [CONFIG],
      useFactory: ({ meta }: Config) => new WebhookSignatures(meta.appSecrets),
    },
    usesGraph(MetaLogin),
    usesGraph(MetaPages),
    usesGraph(MetaInstagram),
    usesGraph(MetaInsights),
    usesGraph(MetaMessaging),
    usesGraph(MetaComments),
    MetaDataHolders,
    {
      provide: MetaConsents,
      inject: [MetaLogin, MetaDataHolders],
      useFactory: (login: MetaLogin, holders: MetaDataHolders) => new MetaConsents(login, holders),
    },
  ],
  exports: [
    GraphClient,
    MetaComments,
    MetaConsents,
    MetaDataHolders,
    MetaInsights,
    MetaInstagram,
    MetaLogin,
    MetaMessaging,
    MetaPages,
    SignedRequests,
    WebhookSignatures,
  ],
})
export class MetaModule implements OnApplicationShutdown {
  constructor(@Inject(GraphTransport) private readonly transport: GraphTransport) {}

  async onApplicationShutdown(): Promise<void> {
    await this.transport.close();
  }
}
