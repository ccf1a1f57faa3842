import DurableFiles
import Foundation
import TestStage
import Testing

/// What is under a file's name when a step of its replacement fails, and in which order the steps are done.
@Suite struct DurableFileTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path("file") }

    init() throws { folder = try TemporaryFolder() }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test(arguments: [DurableFile.Promise.nothing, .content, .contentAndName])
    func `a file takes the place of the one that has its name`(_ promise: DurableFile.Promise) throws {
        _ = try folder.write("file", Array("old and longer".utf8))
        try DurableFile.replace(path, promising: promise, with: Array("new".utf8))
        #expect(folder.bytes("file") == Array("new".utf8))
        try DurableFile.replace(path, promising: promise) { try $0.write(Array("newer".utf8)) }
        #expect(folder.bytes("file") == Array("newer".utf8))
        #expect(folder.names == ["file"])
    }

    @Test func `a new file is its owner's alone unless more is said`() throws {
        try DurableFile.replace(path, promising: .nothing, with: [1])
        #expect(try mode(path) == 0o600)
        try DurableFile.replace(folder.path("shared"), promising: .nothing, mode: 0o640) { try $0.write([1]) }
        #expect(try mode(folder.path("shared")) == 0o640)
    }

    @Test func `the old file keeps its name until the new one is written`() throws {
        _ = try folder.write("file", [1])
        try DurableFile.replace(path, promising: .contentAndName) { file in
            try file.write([2])
            #expect(folder.bytes("file") == [1])
            #expect(file.path == path + ".part" && folder.bytes("file.part") == [2])
        }
        #expect(folder.bytes("file") == [2])
    }

    @Test func `what a killed process left beside a file is in nobody's way`() throws {
        _ = try folder.write("file.part", Array("longer than what comes".utf8))
        try DurableFile.replace(path, promising: .content, with: [1])
        #expect(folder.bytes("file") == [1] && folder.names == ["file"])
    }

    @Test func `a writer that gives up leaves the old file, and nothing beside it`() throws {
        struct Stop: Error {}
        _ = try folder.write("file", [1])
        #expect(throws: Stop.self) {
            try DurableFile.replace(path, promising: .contentAndName) { file in
                try file.write([2])
                throw Stop()
            }
        }
        #expect(folder.bytes("file") == [1] && folder.names == ["file"])
    }

    @Test func `a full disk leaves the old file, and nothing beside it`() throws {
        _ = try folder.write("file", [1])
        try FileManager.default.createSymbolicLink(atPath: path + ".part", withDestinationPath: "/dev/full")
        let error = #expect(throws: FileError.self) {
            try DurableFile.replace(path, promising: .contentAndName, with: [2])
        }
        #expect(error?.reason == .full && error?.action == "write" && error?.path == path + ".part")
        #expect(folder.bytes("file") == [1] && folder.names == ["file"])
    }

    /// The null device takes bytes, and cannot be synced.
    @Test(arguments: [DurableFile.Promise.content, .contentAndName])
    func `content that cannot be synced gets no name`(_ promise: DurableFile.Promise) throws {
        _ = try folder.write("file", [1])
        try FileManager.default.createSymbolicLink(atPath: path + ".part", withDestinationPath: "/dev/null")
        let error = #expect(throws: FileError.self) { try DurableFile.replace(path, promising: promise, with: [2]) }
        #expect(error?.action == "sync")
        #expect(folder.bytes("file") == [1] && folder.names == ["file"])
    }

    @Test func `where nothing is promised, nothing is synced`() throws {
        try FileManager.default.createSymbolicLink(atPath: path + ".part", withDestinationPath: "/dev/null")
        try DurableFile.replace(path, promising: .nothing, with: [2])
        #expect(folder.names == ["file"])
    }

    @Test func `a folder under the name is left, and nothing beside it`() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let error = #expect(throws: FileError.self) { try DurableFile.replace(path, promising: .content, with: [2]) }
        #expect(error?.action == "rename to \(path)")
        #expect(folder.names == ["file"])
    }

    @Test func `a folder that is not there is named`() throws {
        let path = folder.path("none/file")
        let error = #expect(throws: FileError.self) { try DurableFile.replace(path, promising: .content, with: [2]) }
        #expect(error?.reason == .gone)
        #expect(error?.description == "cannot open: \(path).part: No such file or directory")
    }

    @Test func `a file is removed once, and that it is gone is no error`() throws {
        _ = try folder.write("file", [1])
        try DurableFile.remove(path)
        try DurableFile.remove(path)
        #expect(folder.names.isEmpty)
        #expect(throws: FileError.self) { try DurableFile.remove(folder.path) }
    }

    @Test func `a file and the names in folders are synced, and what is not there is named`() throws {
        _ = try folder.write("file", [1])
        try DurableFile.sync(path)
        try DurableFile.syncFolder(of: path)
        try DurableFile.syncFolder(of: "file")
        try DurableFile.syncFolder(of: "/file")
        let error = #expect(throws: FileError.self) { try DurableFile.sync(folder.path("none")) }
        #expect(error?.reason == .gone)
        #expect(throws: FileError.self) { try DurableFile.syncFolder(path) }
    }
}
