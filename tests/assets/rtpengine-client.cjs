// One request by npm's rtpengine-client: node rtpengine-client.cjs COMMAND JSON-OPTIONS; prints the reply as JSON.
const { Client } = require('rtpengine-client');

const [command, options] = process.argv.slice(2);
const client = new Client({ timeout: 5000, localAddress: '127.0.0.1' });

client.on('listening', async () => {
  try {
    const reply = await client[command](2223, '127.0.0.1', JSON.parse(options));
    console.log(JSON.stringify(reply));
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
});
