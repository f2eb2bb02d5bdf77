import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an address is one of the public internet. Whatever the registries of special-purpose addresses name is not
 * (RFC 6890 and its successors): private, loopback, link-local and with it the metadata of clouds, shared, reserved; nor
 * an IPv4 address in IPv6 clothes (mapped, NAT64, 6to4, Teredo), which leads to wherever the inner one does.
 */
export function isPublicAddress(address: string): boolean {
  // Its parser takes shorthands, which are no addresses of a socket.
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return !(parsed instanceof ipaddr.IPv6) || parsed.match(globalUnicast);
}
