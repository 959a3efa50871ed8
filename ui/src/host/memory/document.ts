/** For tests that draw: what was drawn is cleared away, and slow machines get their time. */
import { cleanup, configure } from '@testing-library/svelte';
import { afterEach } from 'vitest';

configure({ asyncUtilTimeout: 15_000 });
afterEach(cleanup);
