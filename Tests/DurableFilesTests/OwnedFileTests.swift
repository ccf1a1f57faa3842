import DurableFiles
import Foundation
import SystemPackage
import TestStage
import Testing

/// Files that are closed with their owner, and what is read and written through them.
@Suite struct OwnedFileTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("file") }

    init() throws { folder = try TemporaryFolder() }

    @Test func `a file is closed with its last owner, and not inherited`() throws {
        _ = try folder.write("file", [1])
        var file: OwnedFile? = try OwnedFile(path, for: .reading)
        let number = try #require(file?.number)
        // Nobody else has this file open, whatever number other tests get meanwhile.
        func isOpen() -> Bool {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) == path
        }
        #expect(isOpen())
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        file = nil
        #expect(!isOpen())
    }

    @Test func `a purpose says what may be there`() throws {
        for purpose in [OwnedFile.Purpose.reading, .folder, .writing] {
            let error = #expect(throws: FileError.self) { try OwnedFile(path, for: purpose) }
            #expect(error?.reason == .gone)
        }
        try OwnedFile(path, for: .creating).write([1, 2])
        #expect(throws: FileError.self) { try OwnedFile(path, for: .creating) }
        #expect(throws: FileError.self) { try OwnedFile(path, for: .folder) }
        try OwnedFile(path, for: .writing).write([3])
        #expect(folder.bytes("file") == [3, 2])
        _ = try OwnedFile(path, for: .locking)
        #expect(folder.bytes("file") == [3, 2])
        _ = try OwnedFile(path, for: .replacing)
        #expect(folder.bytes("file") == [])
        let file = try OwnedFile(path, for: .replacingToRead)
        try file.write([7, 8])
        var found: [UInt8] = [0, 0, 0]
        #expect(try found.withUnsafeMutableBytes { try file.read(into: $0, at: 1) } == 1)
        #expect(found == [8, 0, 0])
    }

    @Test func `bytes are written where they belong, and a file is cut`() throws {
        let file = try OwnedFile(path, for: .replacing)
        try file.write([1, 2, 3])
        try [UInt8]([9, 9]).withUnsafeBytes { try file.write($0, at: 2) }
        try file.write([4])
        #expect(folder.bytes("file") == [1, 2, 9, 4])
        let reading = try OwnedFile(path, for: .reading)
        #expect(try reading.bytes(2, at: 1) == [2, 9])
        #expect(try reading.bytes(9, at: 2) == [9, 4])
        #expect(try reading.bytes(1, at: 4) == [])
        try file.truncate(to: 1)
        #expect(folder.bytes("file") == [1])
        #expect(try file.length == 1)
    }

    @Test(arguments: [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
    func `a file is read to its end`(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 251) }
        _ = try folder.write("file", bytes)
        #expect(try OwnedFile(path, for: .reading).contents() == bytes)
        var blocks: [UInt8] = []
        try OwnedFile(path, for: .reading).readAll { blocks += $0 }
        #expect(blocks == bytes)
    }

    @Test func `a file whose length the system does not tell is read to its end`() throws {
        let found = try OwnedFile("/proc/self/status", for: .reading).contents()
        #expect(String(decoding: found, as: UTF8.self).hasPrefix("Name:"))
    }

    @Test func `what is no regular file has no length`() throws {
        let error = #expect(throws: FileError.self) { try OwnedFile(folder.path, for: .folder).length }
        #expect(error?.text == "not a regular file")
    }

    @Test func `a full disk is told from other failures`() throws {
        let full = #expect(throws: FileError.self) { try OwnedFile("/dev/full", for: .writing).write([1]) }
        #expect(full?.reason == .full)
        let closed = #expect(throws: FileError.self) { try OwnedFile("/dev/null", for: .reading).write([1]) }
        #expect(closed?.reason == .other(.badFileDescriptor))
        #expect(closed?.description == "cannot write: /dev/null: Bad file descriptor")
    }

    @Test(arguments: [(ENOSPC, FileError.Reason.full), (EDQUOT, .full), (ENOENT, .gone), (EIO, .other(.ioError))])
    func `an error has a name`(_ code: CInt, _ reason: FileError.Reason) {
        errno = code
        #expect(FileError(doing: "sync", path: "x").reason == reason)
    }
}
