using System.Collections.Generic;
using System.Linq;

namespace GamingLeaderboard
{
    public sealed partial class Row
    {
        internal Row At(long rank)
        {
            var row = (Row)MemberwiseClone();
            row.Rank = rank;
            return row;
        }
    }

    /// <summary>What an arriving delta's position is to the one held: it fits, it is late and harmless, or it can't be applied.</summary>
    public enum Relation
    {
        Next,
        Known,
        Gap,
    }

    /// <summary>Where a board stands in its feed.</summary>
    public struct Position
    {
        public string Epoch;
        public long Offset;

        public Position(string epoch, long offset)
        {
            Epoch = epoch;
            Offset = offset;
        }
    }

    /// <summary>A board's rows and how a delta changes them. Pure: nothing here touches the network.</summary>
    public static class Rows
    {
        /// <summary>The sizes that can be watched; a request is rounded up.</summary>
        public static readonly IReadOnlyList<int> Tops = new[] { 3, 10, 25, 50, 100 };

        /// <summary>The smallest watched size that holds `top` rows, the largest if none does.</summary>
        public static int RoundUp(int top) => Tops.Where(size => size >= top).DefaultIfEmpty(Tops[Tops.Count - 1]).First();

        /// <summary>
        /// Take out `left` and every changed player, insert each changed row at its rank, number 1..N. No argument is altered; rows that
        /// keep their rank are the same objects.
        /// </summary>
        public static List<Row> Apply(IEnumerable<Row> rows, IEnumerable<Row> changed, IEnumerable<string> left)
        {
            var coming = changed.OrderBy(row => row.Rank).ToList();
            var gone = new HashSet<string>(left);
            gone.UnionWith(coming.Select(row => row.Player));
            var next = rows.Where(row => !gone.Contains(row.Player)).ToList();
            foreach (var row in coming) next.Insert((int)System.Math.Min(row.Rank - 1, next.Count), row);
            return next.Select((row, index) => row.Rank == index + 1 ? row : row.At(index + 1)).ToList();
        }

        public static Relation Relation(Position held, Position arriving)
        {
            if (held.Epoch != arriving.Epoch) return GamingLeaderboard.Relation.Gap;
            if (arriving.Offset == held.Offset + 1) return GamingLeaderboard.Relation.Next;
            return arriving.Offset <= held.Offset ? GamingLeaderboard.Relation.Known : GamingLeaderboard.Relation.Gap;
        }
    }
}
