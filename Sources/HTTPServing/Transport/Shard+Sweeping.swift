/// Ends overdue connections in each sweep, and the shard itself when the server stops.
extension Shard {
    func sweep() {
        tick()
        for connection in connections.all {
            if connection.phase == .handling {
                checkRate(connection)
            } else if now >= connection.deadline {
                expire(connection)
            }
        }
        feedStarved()
        blocks.trim()
    }

    private func expire(_ connection: Connection) {
        // A silent connection has no request, so there is nothing to answer.
        guard connection.phase == .head, !connection.parser.isIdle else { return hangUp(connection) }
        refuse(connection, .timeout)
        advance(connection)
    }

    private func checkRate(_ connection: Connection) {
        guard let current = connection.current, current.reader != nil, let since = current.waitsSince else { return }
        let waited = current.rateWaited &+ (now &- since)
        guard waited >= timings.bodyRateWindow else { return }
        if current.rateBytes < timings.leastBytesInWindow {
            fail(connection, .tooSlow)
        } else {
            connection.current?.rateWaited = 0
            connection.current?.rateBytes = 0
            connection.current?.waitsSince = now
        }
    }

    /// Takes no more requests: idle connections close, parked handlers are cancelled, the others finish.
    func beginDraining() {
        // A request that arrived before the stop is served.
        takeEvents()
        isDraining = true
        for connection in connections.all {
            if connection.phase == .head, connection.parser.isIdle, connection.backlogCount == 0 {
                hangUp(connection)
            } else if connection.current?.isParked == true {
                connection.current?.task?.cancel()
            }
        }
    }

    /// Returns when the last connection is closed and the last handler has returned, or after `endDraining`.
    func drained() async {
        await withCheckedContinuation {
            drainWaiters.append($0)
            // Only here: a task that does not prefer this shard's executor is queued again before it waits.
            resumeIfDrained()
        }
    }

    func resumeIfDrained() {
        guard hasEnded || (isDraining && connections.count == 0 && handlersUnderWay == 0) else { return }
        let waiters = drainWaiters
        drainWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Closes all remaining connections and cancels their handlers.
    func endDraining() {
        for connection in connections.all {
            connection.current?.task?.cancel()
            hangUp(connection)
        }
        hasEnded = true
        resumeIfDrained()
    }
}
