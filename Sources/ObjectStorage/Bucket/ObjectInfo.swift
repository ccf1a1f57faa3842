/// What the store says of one object.
package struct ObjectInfo: Sendable, Hashable {
    /// Without the bucket's prefix.
    package let key: String
    package let byteCount: Int
    /// By the store's clock, in whole seconds since 1970-01-01 UTC.
    package let modified: Int64

    package init(key: String, byteCount: Int, modified: Int64) {
        self.key = key
        self.byteCount = byteCount
        self.modified = modified
    }
}

/// A part of a list of objects, in the order of their keys' UTF-8 bytes.
package struct ObjectPage: Sendable, Hashable {
    package let objects: [ObjectInfo]
    /// The `after` for the next page; nil where this is the last.
    package let next: String?

    package init(objects: [ObjectInfo], next: String?) {
        self.objects = objects
        self.next = next
    }
}
