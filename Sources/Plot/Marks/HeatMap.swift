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

/// A matrix of values as colours. A cell without a value is not applicable and drawn hatched; of values
/// of both signs, one below zero carries a dash; a NaN is an error.
public struct HeatMap: Mark {
  public let grid: CellGrid
  /// Values by row and column, row 0 being the lowest.
  public let values: [[Double?]]
  public let colors: ColorScale
  /// Rows below which a white line separates groups.
  public var separators: [Int] = []
  /// Whether cells below zero carry a dash; not where a number is written in each.
  public var showsSigns = true

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
    // Each cell reaches under its upper and right neighbours, which are drawn after it: where two
    // edges meet, viewers then blend the two colours and not the paper.
    var absent = Path()
    for (i, row) in values.enumerated() {
      for (j, value) in row.enumerated() {
        // Cells without a value are drawn last, so they reach only under each other.
        let wide = j + 1 < row.count && (value != nil || row[j + 1] == nil)
        let high = i + 1 < values.count && (value != nil || values[i + 1][j] == nil)
        let path = Path.rectangle(
          Rect(
            frame(grid.columns[j], grid.rows[i]),
            frame(grid.columns[wide ? j + 2 : j + 1], grid.rows[high ? i + 2 : i + 1])))
        if let value { canvas.fill(path, colors.color(value)) } else { absent = absent + path }
      }
    }
    canvas.hatch(absent, within: frame.area)
    drawDashes(on: canvas, in: frame)
    for row in separators {
      let y = frame.y(grid.rows[row])
      canvas.stroke(
        .line(Point(frame.area.left, y), Point(frame.area.right, y)), Pen(.white, width: 1.4))
    }
  }

  /// Which cells carry a dash.
  var dashed: [Cell] {
    guard showsSigns, let limit = colors.dashedBelow else { return [] }
    return values.indices.flatMap { row in
      values[row].indices.filter { values[row][$0].map { $0 < limit } ?? false }
        .map { Cell(row: row, column: $0) }
    }
  }

  private func drawDashes(on canvas: Canvas, in frame: Frame) {
    // One path a pen: a map has hundreds of cells.
    var paths: [(pen: Pen, path: Path)] = []
    for cell in dashed {
      let pen = colors.dash(on: values[cell.row][cell.column]!)
      let dash = Path.dash(in: grid.rect(cell, in: frame))
      if let i = paths.firstIndex(where: { $0.pen == pen }) {
        paths[i].path = paths[i].path + dash
      } else {
        paths.append((pen, dash))
      }
    }
    for (pen, path) in paths { canvas.stroke(path, pen) }
  }
}

extension Path {
  /// A short level line in the middle of a cell.
  static func dash(in box: Rect) -> Path {
    let reach = min(0.6, 0.25 * box.width)
    return .line(
      Point(box.center.x - reach, box.center.y), Point(box.center.x + reach, box.center.y))
  }
}

/// Marks on some cells of a grid; their white rims keep them visible on dark cells.
public struct CellMarks: Mark {
  public enum Shape: Sendable {
    /// A line around each group of neighbouring cells, with a white rim.
    case outline
    /// A dot in each cell, with a white rim.
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
    if cells.isEmpty { return }
    switch shape {
    case .outline:
      let path = border(in: frame)
      canvas.stroke(path, Pen(.white, width: 2))
      canvas.stroke(path, Pen(color, width: 0.9))
    case .dot:
      for cell in cells {
        let box = grid.rect(cell, in: frame)
        let size = min(1.3, 0.5 * min(box.width, box.height))
        canvas.symbol(.circle, at: box.center, size: size + 0.5, .white)
        canvas.symbol(.circle, at: box.center, size: size, color)
      }
    }
  }

  /// The edges of the cells without those that two of them share.
  private func border(in frame: Frame) -> Path {
    let members = Set(cells)
    let reach = 0.15  // closes the corners
    var path = Path()
    for cell in cells {
      let box = grid.rect(cell, in: frame)
      for (side, y) in [(1, box.top), (-1, box.bottom)]
      where !members.contains(Cell(row: cell.row + side, column: cell.column)) {
        path = path + .line(Point(box.left - reach, y), Point(box.right + reach, y))
      }
      for (side, x) in [(-1, box.left), (1, box.right)]
      where !members.contains(Cell(row: cell.row, column: cell.column + side)) {
        path = path + .line(Point(x, box.top - reach), Point(x, box.bottom + reach))
      }
    }
    return path
  }
}
