// One request by npm's rtpengine-client: node rtpengine-client.cjs TRANSPORT ADDRESS COMMAND JSON-OPTIONS; prints the reply as
// JSON on its last line.
const { Client, TcpClient, WsClient } = require('rtpengine-client');

const [transport, address, command, options] = process.argv.slice(2);
const [host, port] = address.split(':');
const timeout = 5000;
const clients = {
  udp: () => new Client({ timeout, localAddress: host }),
  tcp: () => new TcpClient({ timeout, hostport: address }),
  websocket: () => new WsClient({ timeout, url: `ws://${address}` }),
};
const client = clients[transport]();
// Without a connection, the request says where it goes.
const destination = transport === 'udp' ? [Number(port), host] : [];

client.on('listening', async () => {
  try {
    const reply = await client[command](...destination, JSON.parse(options));
    console.log(JSON.stringify(reply));
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
});
