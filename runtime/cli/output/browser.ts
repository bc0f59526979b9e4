/** The desktop's browser, where there is a desktop. */
import { spawn } from 'node:child_process';
import type { Environment } from '../../config/environment.ts';

/** Resolves once the desktop has been asked; whoever has none has read the address already. */
export function openInBrowser(url: string, environment: Environment): Promise<void> {
  const mac = process.platform === 'darwin';
  if (!mac && !environment['DISPLAY'] && !environment['WAYLAND_DISPLAY']) return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn(mac ? 'open' : 'xdg-open', [url], { stdio: 'ignore', detached: true });
    child.once('error', () => resolve());
    child.once('spawn', () => {
      child.unref();
      resolve();
    });
  });
}
