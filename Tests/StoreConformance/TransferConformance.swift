import Federation
import Foundation
import Testing

/// What every store promises of unfinished uploads and of archives.
package enum TransferConformance {
    package static let checks = [
        ConformanceCheck("an unfinished upload is found again with its length and its checked bytes", uploads),
        ConformanceCheck("a federation comes back whole from its archive", archives),
    ]

    private static func uploads(_ subject: StoreUnderTest) async throws {
        let key = UploadKey(
            federation: try FederationID("digits"), round: 1, client: try ClientName("edge-1"))
        let other = UploadKey(federation: try FederationID("digits"), subject: .template)
        try await subject.withRestart { store in
            let uploads = store.stores.uploads
            _ = try await LiveFederation(creating: "digits", in: store)
            let first = try await uploads.beginUpload(key, length: nil, sureLength: 0)
            try Data("half".utf8).write(to: URL(fileURLWithPath: first.path))
            try await uploads.keep(0..<4, of: key, in: first)
            let noted = try await uploads.note(length: 99, sureLength: 4, of: key, in: first)
            try Data("half an update".utf8).write(to: URL(fileURLWithPath: noted.path))
            let second = try await uploads.beginUpload(other, length: 9, sureLength: nil)
            try Data("template".utf8).write(to: URL(fileURLWithPath: second.path))
            try await uploads.truncate(second, to: 3)
            try await uploads.keep(0..<3, of: other, in: second)
            await #expect(throws: StoreError.self) {
                try await uploads.beginUpload(other, length: 9, sureLength: nil)
            }
        } then: { store in
            let uploads = store.stores.uploads
            let known = Dictionary(
                uniqueKeysWithValues: try await uploads.partialUploads().map { ($0.key, $0) })
            var found: [PartialUpload] = []
            for key in [key, other] {
                found.append(try #require(try await uploads.refreshed(known[key], of: key)))
            }
            #expect(found.map(\.key) == [key, other])
            #expect(found.map(\.offset) == [4, 3])
            #expect(found.map(\.length) == [99, 9])
            try await uploads.truncate(found[0].file, to: 4)
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: found[0].file.path))
            try file.seekToEnd()
            try file.write(contentsOf: Data("-way".utf8))
            try file.close()
            try await uploads.gather(key, into: found[0].file)
            #expect(FileManager.default.contents(atPath: found[0].file.path) == Data("half-way".utf8))
            for upload in found {
                await store.blobs.discard(upload.file)
                try await uploads.endUpload(upload.key)
                #expect(try await uploads.refreshed(nil, of: upload.key) == nil)
            }
            #expect(try await uploads.partialUploads().isEmpty)
        }
    }

    private static func archives(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<4)], of: live.id, round: 0)
            let archives = store.stores.archives
            let archive = try await archives.archive(live.id)
            await #expect(throws: StoreError.exists) { try await archives.takeArchive(archive) }
            _ = try await store.metadata.delete(live.id, releasing: true, at: Sample.createdAt)
            let taken = try await archives.takeArchive(archive)
            expectEqual(taken.machine, live.machine)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
            #expect(try live.blob("one") == "one")
            let tensor = AdapterTensor(name: "fc1", kind: .a)
            #expect(
                try store.adapters.rows(9, of: tensor, federation: live.id, round: 0) == Sample.values(0..<4))
            let none = store.blobs.stage()
            try Data("no archive".utf8).write(to: URL(fileURLWithPath: none.path))
            let error = await #expect(throws: StoreError.self) { try await archives.takeArchive(none) }
            if case .unsound = error {} else { Issue.record("\(String(describing: error))") }
        }
    }
}
