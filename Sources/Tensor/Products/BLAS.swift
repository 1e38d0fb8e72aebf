// Matrix products, the only file that imports OpenBLAS.
//
// With the Haswell kernel on one thread, the rows of a product keep their bits when they are
// computed in blocks whose offset and count are multiples of 12 (`rowBlock`), and in any place of the
// same half of a block; callers that batch or resume rely on it, and a test holds it.

import COpenBLAS

/// Rows of a batch are padded to multiples of this, so that products do not depend on the batch.
public let rowBlock = 12

/// The next multiple of `rowBlock`.
public func paddedRows(_ count: Int) -> Int { (count + rowBlock - 1) / rowBlock * rowBlock }

enum BLAS {
  /// c := scale * a * b^T (+ c). `a` is m by k, `b` is n by k, `c` is m by n, with row strides.
  static func productTransposed(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, scale: Float = 1,
    adding: Bool = false
  ) {
    sgemm(CblasNoTrans, CblasTrans, m, n, k, a, lda, b, ldb, c, ldc, scale, adding)
  }

  /// c := scale * a * b (+ c). `a` is m by k, `b` is k by n, `c` is m by n.
  static func product(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, scale: Float = 1,
    adding: Bool = false
  ) {
    sgemm(CblasNoTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, c, ldc, scale, adding)
  }

  /// c := scale * a^T * b (+ c). `a` is k by m, `b` is k by n, `c` is m by n.
  static func transposedProduct(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, scale: Float = 1,
    adding: Bool = false
  ) {
    sgemm(CblasTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, c, ldc, scale, adding)
  }

  @inline(__always)
  private static func sgemm(
    _ transposeA: CBLAS_TRANSPOSE, _ transposeB: CBLAS_TRANSPOSE, _ m: Int, _ n: Int, _ k: Int,
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ scale: Float, _ adding: Bool
  ) {
    Arithmetic.add(m, n, k)
    cblas_sgemm(
      CblasRowMajor, transposeA, transposeB, blasint(m), blasint(n), blasint(k), scale, a,
      blasint(lda), b, blasint(ldb), adding ? 1 : 0, c, blasint(ldc))
  }

  static var coreName: String { String(cString: openblas_get_corename()) }
  static var threads: Int { Int(openblas_get_num_threads()) }
}

/// The product of two matrices of Double, `a` (m by k) times the transpose of `b` (n by k).
public func matrixProduct(
  _ a: [Double], _ b: [Double], rows m: Int, columns n: Int, inner k: Int
) -> [Double] {
  precondition(a.count == m * k && b.count == n * k)
  var c = [Double](repeating: 0, count: m * n)
  if m == 0 || n == 0 { return c }
  cblas_dgemm(
    CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), 1,
    a, blasint(k), b, blasint(k), 0, &c, blasint(n))
  return c
}
