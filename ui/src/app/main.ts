import { mount } from 'svelte';
import App from './App.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
// What differs in looks from one system's webview to another's.
if (navigator.platform.startsWith('Linux')) document.documentElement.dataset.system = 'linux';
mount(App, { target });
