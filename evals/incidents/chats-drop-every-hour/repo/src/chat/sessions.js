const sessions = new Map();

export function open(id, socket) {
  const session = { id, socket, seen: Date.now() };
  sessions.set(id, session);
  socket.on('close', () => sessions.delete(id));
  return session;
}
