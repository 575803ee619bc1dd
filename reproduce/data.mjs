/** Where data sets are that come as npm packages. */

import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const require = createRequire(import.meta.url)

/** @param {string} name of a package @returns {string} its folder @throws {Error} where it is not installed */
export function folderOf(name) {
  return dirname(require.resolve(`${name}/package.json`))
}

/** @param {string} name of a package @returns {boolean} */
export function isInstalled(name) {
  try {
    folderOf(name)
    return true
  } catch {
    return false
  }
}
