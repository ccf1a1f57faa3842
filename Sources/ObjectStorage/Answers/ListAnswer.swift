/// The answer to ListObjectsV2.
package struct ListAnswer: Sendable, Hashable {
    /// With the bucket's prefix, in the order of the store.
    package let objects: [ObjectInfo]
    package let isTruncated: Bool

    /// Throws `.damaged` where the body is not such an answer.
    package init(_ body: [UInt8]) throws(ObjectError) {
        let root: XMLElement
        do throws(XMLError) {
            root = try XMLElement(parsing: body)
        } catch {
            throw .damaged("the store's list cannot be read (\(error))")
        }
        guard root.name == "ListBucketResult" else {
            throw .damaged("the store answered with a \(root.name), not a list")
        }
        switch root["IsTruncated"] {
        case "true": isTruncated = true
        case "false": isTruncated = false
        default: throw .damaged("the store's list does not say whether it is whole")
        }
        var objects: [ObjectInfo] = []
        for child in root.children where child.name == "Contents" {
            guard let key = child["Key"], let size = child["Size"].flatMap({ Int($0) }), size >= 0,
                let modified = child["LastModified"].flatMap(CalendarTime.init(parsing:))
            else { throw .damaged("the store's list has an object without a key, a size or a time") }
            objects.append(ObjectInfo(key: key, byteCount: size, modified: modified.seconds))
        }
        guard !isTruncated || !objects.isEmpty else { throw .damaged("the store's list is cut and has nothing") }
        self.objects = objects
    }
}
