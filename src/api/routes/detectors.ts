import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';

/** `POST /v1/detectors/reload`: reads the folder of the detectors now. 409 where the old set acts on. */
export function postDetectorsReload({ ports }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    if (!ports.status.oversees(c.var.principal)) {
      throw new ApiError(403, 'forbidden', 'detectors serve all tenants of this install', {
        fix: 'use a key of the tenant that oversees it',
      });
    }
    const result = await ports.detectors.reload();
    return c.json(result, result.status === 'refused' ? 409 : result.status === 'unchanged' ? 200 : 202);
  };
}
