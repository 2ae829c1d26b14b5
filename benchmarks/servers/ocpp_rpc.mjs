// ocpp-rpc on Node. PORT MODE [CERTIFICATE KEY], MODE strict or loose.
// OCPP_RPC names the folder that npm installed it into.
import { createRequire } from 'node:module';
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';

const { RPCServer } = createRequire(process.env.OCPP_RPC + '/')('ocpp-rpc');
const [port, mode, certificate, key] = process.argv.slice(2);

const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: mode === 'strict' });
server.on('client', client => {
    client.handle('Heartbeat', () => ({ currentTime: new Date().toISOString() }));
    client.handle('MeterValues', () => ({}));
    client.handle('StatusNotification', () => ({}));
    client.handle('DataTransfer', () => {
        setImmediate(async () => {
            for (;;) await client.call('ClearCache', {});
        });
        return { status: 'Accepted' };
    });
});

if (certificate) {
    const https = createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
    https.on('upgrade', server.handleUpgrade);
    https.listen(port, '127.0.0.1', () => console.log('ready'));
} else {
    await server.listen(port, '127.0.0.1');
    console.log('ready');
}
