/** Packages that few programs need: loaded when one does, so that all others stay small. */
import { RecurraError } from '../tensor/errors.ts'

/**
 * @param load an import of the package, written where a bundler sees it
 * @throws {RecurraError} `package-missing` when it cannot be loaded; says what to do
 */
export async function loaded<T>(
  what: string,
  name: string,
  load: () => Promise<T>,
  todo: string,
): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RecurraError(
      'package-missing',
      `${what} needs the package ${name}, which did not load: ${reason}. ${todo}`,
      {
        cause,
      },
    )
  }
}

/** What to do about a package that npm installs with this one. */
export const COMES_ALONG =
  'It comes with this package: install again; in a page without a bundler, name it in the import map.'
