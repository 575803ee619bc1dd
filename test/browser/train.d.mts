export function trainAndHash(recurra: typeof import('../../src/index.ts')): Promise<string>
