export function trainAndHash(
  recurra: typeof import('../../src/index.ts'),
  place?: { threads?: number },
): Promise<string>
