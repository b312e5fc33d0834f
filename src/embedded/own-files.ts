import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const OTHERS_MAY_WRITE = 0o022

/** True if nobody but this user and root could have put there what is at the path; what is missing is nobody's. */
export async function isOurs(path: string): Promise<boolean> {
  if (process.platform === 'win32') return true
  try {
    const found = await lstat(path)
    const isOwner = found.uid === process.getuid?.() || found.uid === 0
    // Anybody may be said to write a link; what counts is the folder that it is in.
    return isOwner && (found.isSymbolicLink() || (found.mode & OTHERS_MAY_WRITE) === 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

/** The same of a folder and all that is in it. */
export async function isAllOurs(folder: string): Promise<boolean> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const found = await Promise.all(['', ...names].map((name) => isOurs(join(folder, name))))
  return found.every(Boolean)
}
