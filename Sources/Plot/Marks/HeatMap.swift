// Values as coloured cells, and marks on cells.

/// One cell; row 0 is the lowest, column 0 the leftmost.
public struct Cell: Hashable, Sendable {
  public var row: Int
  public var column: Int

  public init(row: Int, column: Int) {
    self.row = row
    self.column = column
  }
}

/// Cells whose borders are given in data units; row `i` lies between `rows[i]` and `rows[i + 1]`.
public struct CellGrid: Equatable, Sendable {
  public let columns: [Double]
  public let rows: [Double]

  /// - Parameters:
  ///   - columns: rising borders, one more than there are columns.
  ///   - rows: rising borders, one more than there are rows.
  public init(columns: [Double], rows: [Double]) {
    for edges in [columns, rows] {
      precondition(
        edges.count > 1 && zip(edges, edges.dropFirst()).allSatisfy { $0 < $1 },
        "the borders of cells must rise: \(edges)")
    }
    self.columns = columns
    self.rows = rows
  }

  /// Cells of unit size from 0 on, which fit an axis of categories.
  public static func units(columns: Int, rows: Int) -> CellGrid {
    CellGrid(columns: (0...columns).map(Double.init), rows: (0...rows).map(Double.init))
  }

  /// The place of a cell on the page.
  public func rect(_ cell: Cell, in frame: Frame) -> Rect {
    Rect(
      frame(columns[cell.column], rows[cell.row]),
      frame(columns[cell.column + 1], rows[cell.row + 1]))
  }
}

/// A matrix of values as colours. A cell without a value is not applicable and drawn hatched; a NaN
/// is an error.
public struct HeatMap: Mark {
  public let grid: CellGrid
  /// Values by row and column, row 0 being the lowest.
  public let values: [[Double?]]
  public let colors: ColorScale
  /// Rows below which a white line separates groups.
  public var separators: [Int] = []

  public init(_ values: [[Double?]], over grid: CellGrid, _ colors: ColorScale) {
    precondition(
      values.count == grid.rows.count - 1
        && values.allSatisfy { $0.count == grid.columns.count - 1 },
      "a heat map has other rows or columns than its grid")
    self.values = values
    self.grid = grid
    self.colors = colors
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    // Each cell reaches a little under its upper and right neighbours, which are drawn after it:
    // where two edges meet, viewers then blend the two colours and not the paper.
    let tuck = 0.2
    for (i, row) in values.enumerated() {
      for (j, value) in row.enumerated() {
        let cell = Cell(row: i, column: j)
        let box = grid.rect(cell, in: frame).inset(
          by: Insets(
            right: j + 1 < row.count ? -tuck : 0, top: i + 1 < values.count ? -tuck : 0))
        if let value {
          canvas.fill(.rectangle(box), colors.color(value))
        } else {
          canvas.hatch(.rectangle(box), within: box)
        }
      }
    }
    for row in separators {
      let y = frame.y(grid.rows[row])
      canvas.stroke(
        .line(Point(frame.area.left, y), Point(frame.area.right, y)), Pen(.white, width: 1.4))
    }
  }
}

/// Marks on some cells of a grid.
public struct CellMarks: Mark {
  public enum Shape: Sendable {
    /// A line around each cell.
    case outline
    /// A dot in each cell, with a white rim that keeps it visible on dark cells.
    case dot
  }

  public var grid: CellGrid
  public var cells: [Cell]
  public var shape: Shape
  public var color: Color

  public init(_ cells: [Cell], of grid: CellGrid, _ shape: Shape, _ color: Color = .ink) {
    self.cells = cells
    self.grid = grid
    self.shape = shape
    self.color = color
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    for cell in cells {
      let box = grid.rect(cell, in: frame)
      switch shape {
      case .outline: canvas.stroke(.rectangle(box.inset(by: 0.1)), Pen(color, width: 0.6))
      case .dot:
        let size = min(1.3, 0.5 * min(box.width, box.height))
        canvas.symbol(.circle, at: box.center, size: size + 0.5, .white)
        canvas.symbol(.circle, at: box.center, size: size, color)
      }
    }
  }
}
