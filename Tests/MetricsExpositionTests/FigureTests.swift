import Foundation
import MetricsExposition
import Testing

/// Bounded labels, and what the kernel says.
@Suite struct FigureTests {
    @Test func `the first subjects have labels and all others share one`() {
        let bound = LabelBound(["a", "b", "c", "d"], limit: 2)
        #expect(["a", "b", "c", "d"].map(bound.label) == ["a", "b", "_other", "_other"])
        #expect(bound.unnamedCount == 2)
        #expect(LabelBound(["a"], limit: 2).unnamedCount == 0)
        #expect(LabelBound(["a"], limit: 0).label(of: "a") == "_other")
    }

    @Test func `the process figures are this process's`() throws {
        let before = try #require(ProcessFigures())
        let kept = try (0..<20).map { _ in try #require(FileHandle(forReadingAtPath: "/dev/null")) }
        let after = try #require(ProcessFigures())
        // Other tests open and close files meanwhile, though not nearly as many.
        #expect(after.openFiles >= before.openFiles + 10)
        #expect(after.cpuSeconds >= before.cpuSeconds)
        #expect((1 << 20...1 << 36).contains(after.residentBytes))
        #expect(after.virtualBytes > after.residentBytes)
        #expect(after.threads >= 1 && after.mostOpenFiles >= after.openFiles)
        #expect(abs(after.startTime - Date().timeIntervalSince1970) < 86_400)
        #expect(after.families.map(\.declaration.name) == ProcessFigures.declarations.map(\.name))
        for handle in kept { try handle.close() }
    }

    @Test func `a folder has a disk with room, and a missing one has none`() throws {
        let disk = try #require(DiskFigures(folder: NSTemporaryDirectory()))
        #expect(disk.freeBytes > 0 && disk.freeBytes <= disk.sizeBytes)
        #expect(DiskFigures(folder: "/no/such/folder") == nil)
    }
}
