// A worker on Node: answers Heartbeat and Authorize of OCPP 1.6.
// npm install @nats-io/transport-node && node worker.mjs nats://localhost:4222
import { connect, headers } from "@nats-io/transport-node";

const known = new Set(["RED", "GREEN"]);

const handlers = {
  Heartbeat: () => ({ currentTime: new Date().toISOString() }),
  Authorize: (chargePoint, request) => {
    console.log(`${chargePoint.id} shows ${request.idTag}`);
    return { idTagInfo: { status: known.has(request.idTag) ? "Accepted" : "Invalid" } };
  },
};

function answer(message) {
  const call = JSON.parse(message.headers.get("Ocpp-Call"));
  const handler = call.version === "1.6" ? handlers[call.action] : undefined;
  if (handler === undefined) throw { code: "NotSupported", description: `no ${call.action}` };
  return handler(call, message.json());
}

const nats = await connect({ servers: process.argv[2], maxReconnectAttempts: -1 });
const calls = nats.subscribe("ocpp.action.workers.>", { queue: "workers" });
await nats.flush();
console.log("ready");
process.on("SIGTERM", () => nats.drain()); // what has come is answered, then the loop below ends

for await (const message of calls) {
  const outcome = headers();
  try {
    const response = JSON.stringify(answer(message));
    outcome.set("Ocpp-Outcome", "CALLRESULT");
    message.respond(response, { headers: outcome });
  } catch (error) {
    const { code = "InternalError", description = String(error) } = error;
    outcome.set("Ocpp-Outcome", "CALLERROR");
    message.respond(JSON.stringify({ code, description }), { headers: outcome });
  }
}
