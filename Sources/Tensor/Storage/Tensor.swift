// A dense, row-major array of Float32 with a shape, and the record of how it was made.
//
// Goals, in order: the same bits on every machine and for every number of cores; no copy that is
// not needed; little enough code to read in one sitting. A tensor's numbers never change after an
// operation has returned it (the optimiser alone updates its parameters in place).

#if canImport(Glibc)
  import Glibc
#endif

/// Memory of a tensor, aligned for vector loads.
final class Storage: @unchecked Sendable {
  let start: UnsafeMutablePointer<Float>
  let count: Int

  init(uninitialized count: Int) {
    self.count = count
    let bytes = max(count, 1) * MemoryLayout<Float>.stride
    start = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      .bindMemory(to: Float.self, capacity: max(count, 1))
  }

  deinit { UnsafeMutableRawPointer(start).deallocate() }
}

/// A row-major array of Float32.
///
/// Most operations see a tensor as a matrix of `rows` by `width`, where `width` is the last
/// dimension.
public struct Tensor: @unchecked Sendable {
  public let shape: [Int]
  let storage: Storage
  let node: Node?

  init(shape: [Int], storage: Storage, node: Node? = nil) {
    self.shape = shape
    self.storage = storage
    self.node = node
  }

  /// Memory whose numbers the caller is about to write.
  init(uninitialized shape: [Int]) {
    self.init(shape: shape, storage: Storage(uninitialized: shape.reduce(1, *)))
  }

  /// A tensor of one repeated number.
  public init(_ shape: [Int], repeating value: Float = 0) {
    self.init(uninitialized: shape)
    storage.start.update(repeating: value, count: count)
  }

  /// A tensor of the given numbers, in row-major order.
  public init(_ shape: [Int], _ numbers: [Float]) {
    precondition(shape.reduce(1, *) == numbers.count, "\(numbers.count) numbers for \(shape)")
    self.init(uninitialized: shape)
    numbers.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { storage.start.update(from: base, count: source.count) }
    }
  }

  public var count: Int { storage.count }

  /// The size of the last dimension.
  public var width: Int { shape.last ?? 1 }

  /// The product of all dimensions but the last.
  public var rows: Int { shape.dropLast().reduce(1, *) }

  var start: UnsafeMutablePointer<Float> { storage.start }

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { storage.start + index * width }

  /// All numbers in row-major order.
  public var numbers: [Float] { Array(UnsafeBufferPointer(start: storage.start, count: count)) }

  /// One number of a matrix.
  public subscript(row: Int, column: Int) -> Float {
    precondition(row >= 0 && row < rows && column >= 0 && column < width)
    return storage.start[row * width + column]
  }

  /// One number by its place in row-major order.
  public subscript(index: Int) -> Float {
    precondition(index >= 0 && index < count)
    return storage.start[index]
  }

  /// Calls `body` with the numbers, without a copy.
  public func withNumbers<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    try body(UnsafeBufferPointer(start: storage.start, count: count))
  }

  /// The same numbers with another shape; gradients flow through.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "cannot reshape \(self.shape) to \(shape)")
    let old = self.shape
    return Tensor(
      shape: shape, storage: storage,
      node: Node.of([self]) { upstream in [Tensor(shape: old, storage: upstream.storage)] })
  }

  /// The same numbers, cut off from how they were made.
  public var detached: Tensor { Tensor(shape: shape, storage: storage) }

  /// The same numbers as a quantity whose gradient may be asked for.
  public var variable: Tensor { Tensor(shape: shape, storage: storage, node: Node()) }

  /// The largest absolute difference to another tensor of the same size.
  public func largestDifference(to other: Tensor) -> Float {
    precondition(count == other.count, "cannot compare \(shape) with \(other.shape)")
    var largest: Float = 0
    for i in 0..<count {
      let difference = abs(start[i] - other.start[i])
      // A NaN must not pass for a small difference.
      if !(difference <= largest) { largest = difference.isNaN ? .infinity : difference }
    }
    return largest
  }

  /// Whether two tensors hold the same bits.
  public func isIdentical(to other: Tensor) -> Bool {
    count == other.count && memcmp(start, other.start, count * MemoryLayout<Float>.stride) == 0
  }

  /// The first row of `other` whose bits are not those of the row as far behind `first` here; the number
  /// of its rows where there is none.
  public func firstDifference(fromRow first: Int, to other: Tensor) -> Int {
    precondition(width == other.width && first + other.rows <= rows)
    let bytes = width * MemoryLayout<Float>.stride
    return (0..<other.rows).first { memcmp(row(first + $0), other.row($0), bytes) != 0 }
      ?? other.rows
  }

  /// The blocks of `rowBlock` rows whose bits are not those of `other`, which is repeated here once or
  /// more.
  public func differingBlocks(from other: Tensor) -> [Int] {
    precondition(width == other.width && rows % other.rows == 0 && other.rows % rowBlock == 0)
    let size = rowBlock * width
    let each = other.rows / rowBlock
    return (0..<rows / rowBlock).filter { block in
      memcmp(
        start + block * size, other.start + block % each * size, size * MemoryLayout<Float>.stride)
        != 0
    }
  }

  /// Whether no number is infinite or NaN.
  public var isFinite: Bool {
    for i in 0..<count where !start[i].isFinite { return false }
    return true
  }
}
