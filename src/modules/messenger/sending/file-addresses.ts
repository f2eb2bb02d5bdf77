import { isIP } from 'node:net';
import type { Config } from '../../../kernel/config/config.js';
import { addressRules } from '../../../kernel/http/public-fetch.js';

/**
 * Whether Meta could fetch a file from there. It is not fetched here, and nobody is asked about its name: what Meta cannot
 * fetch it refuses, and the message fails as `attachment-refused`.
 */
export function isFetchable(address: string, config: Config): boolean {
  const { protocols, allows } = addressRules(config);
  const url = URL.parse(address);
  if (!url || !protocols.includes(url.protocol)) return false;
  if (config.meta.allowsPrivateMedia) return true;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) ? allows(host) : isOfInternet(host);
}

/** A name without a dot, and those that RFC 6761, RFC 6762 and RFC 8375 keep for networks of one's own, lead nowhere else. */
function isOfInternet(host: string): boolean {
  const labels = host.toLowerCase().replace(/\.$/, '').split('.');
  return labels.length > 1 && !ownNetworks.has(labels.at(-1) ?? '') && !host.endsWith('.home.arpa');
}

const ownNetworks: ReadonlySet<string> = new Set(['internal', 'invalid', 'local', 'localhost', 'test']);
