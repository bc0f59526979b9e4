/** The simulated machine's name server under the name server's conformance suite. */
import { MemoryNames } from '../../../runtime/drivers/dns/memory-names.ts';
import { nameServerConformance } from './suite.ts';

nameServerConformance('memory', () => {
  const names = new MemoryNames();
  const [address, port, client] = ['10.42.0.1', 53, '10.42.0.2'];
  return Promise.resolve({
    names,
    address,
    port,
    client,
    ask: (name, type) => {
      const found = names.ask(name, type, client);
      if (found?.kind === 'addresses') return Promise.resolve(found.addresses.join(' '));
      return Promise.resolve(found?.kind === 'pointer' ? found.name : (found?.kind ?? 'nobody'));
    },
    occupy: () => {
      names.foreign.add(`${address}:${port}`);
      return Promise.resolve(() => {
        names.foreign.clear();
        return Promise.resolve();
      });
    },
    close: () => Promise.resolve(),
  });
});
