import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// `src/host/index.ts` talks to `#backend`: the desktop shell in what is
// shipped, the in-memory host in tests and in `vite --mode demo`.
const backend = (mode: string) => {
  const file = mode === 'demo' || mode === 'test' ? 'memory/index.ts' : 'tauri.ts';
  return fileURLToPath(new URL(`./src/host/${file}`, import.meta.url));
};

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  resolve: {
    alias: { '#backend': backend(mode) },
    conditions: mode === 'test' ? ['browser'] : undefined,
  },
  build: {
    target: ['es2022', 'safari16.4'],
    outDir: mode === 'demo' ? 'dist-demo' : 'dist',
    // The content policy allows files of our own and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  test: {
    // Tests that need a document ask for one in their first line.
    environment: 'node',
    include: ['src/**/*.test.ts'],
    environmentOptions: { happyDOM: { settings: { handleDisabledFileLoadingAsSuccess: true } } },
    experimental: { fsModuleCache: true },
    testTimeout: 30_000,
    setupFiles: ['src/host/memory/setup.ts'],
  },
}));
