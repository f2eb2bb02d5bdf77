/**
 * Meta's refusals in Meta's words.
 *
 * Sources: https://developers.facebook.com/docs/graph-api/guides/error-handling (form, codes and subcodes),
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes (publishing).
 */

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

interface ErrorDetails {
  type?: string;
  subcode?: number;
  status?: number;
  isTransient?: boolean;
  userMessage?: string;
  headers?: Record<string, string>;
}

/** Thrown by what serves a call; the server answers with it. */
export class GraphRefusal extends Error {
  readonly reply: Reply;
  constructor(message: string, code: number, details: ErrorDetails = {}) {
    super(message);
    const { type = 'OAuthException', subcode, status = 400, isTransient, userMessage, headers } = details;
    const error = {
      message,
      type,
      code,
      ...(subcode !== undefined && { error_subcode: subcode }),
      ...(isTransient !== undefined && { is_transient: isTransient }),
      ...(userMessage !== undefined && { error_user_title: message, error_user_msg: userMessage }),
      fbtrace_id: `A${code}emulator`,
    };
    this.reply = { status, headers, body: { error } };
  }
}

/** 463: expired, 460: the session was ended, 458: the person removed the app. */
export function invalidToken(subcode: 458 | 460 | 463, at = new Date()): GraphRefusal {
  const messages = {
    458: 'Error validating access token: The user has not authorized application.',
    460: 'Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.',
    463: `Error validating access token: Session has expired on ${at.toUTCString()}.`,
  };
  return new GraphRefusal(messages[subcode], 190, { subcode, status: 401 });
}

export const unparsableToken = (): GraphRefusal =>
  new GraphRefusal('Invalid OAuth access token - Cannot parse access token', 190, { status: 401 });

export const noToken = (): GraphRefusal =>
  new GraphRefusal('An access token is required to request this resource.', 104, { status: 401 });

export const missingProof = (): GraphRefusal =>
  new GraphRefusal('API calls from the server require an appsecret_proof argument', 100, {
    type: 'GraphMethodException',
  });

export const wrongProof = (): GraphRefusal =>
  new GraphRefusal('Invalid appsecret_proof provided in the API argument', 100, { type: 'GraphMethodException' });

/** What is not there and what the token does not reach look the same. */
export function unknownObject(id: string, method = 'GET'): GraphRefusal {
  const message =
    `Unsupported ${method.toLowerCase()} request. Object with ID '${id}' does not exist, cannot be loaded due to ` +
    'missing permissions, or does not support this operation. Please read the Graph API documentation at ' +
    'https://developers.facebook.com/docs/graph-api';
  return new GraphRefusal(message, 100, { type: 'GraphMethodException', subcode: 33 });
}

export const invalidParameter = (message: string, subcode?: number): GraphRefusal =>
  new GraphRefusal(`(#100) ${message}`, 100, { subcode });

export const noPermission = (): GraphRefusal =>
  new GraphRefusal('(#10) Application does not have permission for this action', 10, { status: 403 });

/** What changes a page asks for a permission by its name. */
export const permissionRequired = (permission: string): GraphRefusal =>
  new GraphRefusal(
    `(#200) If posting to a page, requires ${permission} permission as an admin with sufficient administrative permission`,
    200,
    { status: 403 },
  );

export const pageTokenRequired = (): GraphRefusal =>
  new GraphRefusal('(#190) This method must be called with a Page Access Token', 190, { subcode: 2069032 });

/** A refusal of Instagram's own, whose words for the person stand beside the developer's. */
export const instagramError = (code: number, subcode: number, message: string, userMessage: string): GraphRefusal =>
  new GraphRefusal(message, code, { subcode, isTransient: false, userMessage });

export const badOAuthRequest = (message: string, code: number, subcode?: number): GraphRefusal =>
  new GraphRefusal(message, code, { subcode });
